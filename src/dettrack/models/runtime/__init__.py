"""One runner for each runtime: PyTorch, ONNX Runtime, OpenVINO, TensorRT."""
