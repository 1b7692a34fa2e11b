"""The search methods by name."""

from mbsweep.search.exact_costs import ExactCosts
from mbsweep.search.method import Method
from mbsweep.search.samplers import Gp, Nsga2, Tpe
from mbsweep.search.simple import Exhaustive, Random

METHODS: dict[str, type[Method]] = {
    "exact_costs": ExactCosts,
    "nsga2": Nsga2,
    "tpe": Tpe,
    "gp": Gp,
    "random": Random,
    "exhaustive": Exhaustive,
}
