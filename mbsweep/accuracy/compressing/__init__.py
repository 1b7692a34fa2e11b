"""Trained networks in fewer bytes: pruned, their weights shared, Huffman coded, each step tested."""
