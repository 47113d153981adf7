"""One runner for each runtime behind one protocol, arrays in, arrays out: PyTorch, ONNX Runtime, OpenVINO, TensorRT."""
