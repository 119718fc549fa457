"""A model and its SAEs as ONNX graphs that run without torch: in a browser, or in onnxruntime."""
