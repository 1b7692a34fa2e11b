"""Networks as files: ONNX, int8, compressed. Importing it loads no torch."""
