"""The commands that export the network of a row."""

from mbsweep.table.hand_over import export_options


def test_no_two_runtimes_files_are_called_the_same():
    """Typed one after the other, the commands that `pick` prints for a network write over nothing."""
    rows = [("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("openvino", "fp32"), ("openvino", "int8")]
    rows += [("executorch", "fp32"), ("executorch", "int8"), ("torch", "fp32")]
    assert [export_options(*row)[1] for row in rows] == [
        ".onnx",
        "_int8.onnx",
        "_openvino.onnx",
        "_int8_openvino.onnx",
        ".pte",
        "_int8.pte",
        ".safetensors",
    ]
