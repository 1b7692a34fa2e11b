"""Networks as files: ONNX, int8. Importing it loads no torch."""
