"""Networks as files: ONNX, int8. Loads no torch."""
