"""A network that names other files for its weights is refused, whatever the runtime and however it is nested."""

import pytest

from dettrack.errors import InputError
from dettrack.models.runtime.external_data import refuse_external_data

onnx = pytest.importorskip("onnx")


def model(inside: str, external: bool):
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    if external:
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
    constant = onnx.helper.make_node("Constant", [], ["w"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    ends = [onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [2])]
    graph = onnx.helper.make_graph([], "g", [], ends)
    if inside == "initializer":
        graph.initializer.append(tensor)
    elif inside == "constant":
        graph.node.append(constant)
    else:
        branch = onnx.helper.make_graph([constant], "b", [], ends)
        graph.node.append(onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("inside", ["initializer", "constant", "branch"])
def test_data_elsewhere_are_found_wherever_they_are_named(tmp_path, inside):
    refuse_external_data(model(inside, external=False), "a.onnx")
    path = tmp_path / "a.onnx"
    path.write_bytes(model(inside, external=True))
    for content in (path, path.read_bytes()):
        with pytest.raises(InputError, match=r"a\.onnx: some of its weights lie in other files"):
            refuse_external_data(content, "a.onnx")


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"\x3a\xff\xff\xff\xff\x0f", bytes(100)])
def test_what_is_damaged_is_left_to_the_runtime(tmp_path, content):
    refuse_external_data(content, "a.onnx")
    (tmp_path / "a.onnx").write_bytes(content)
    refuse_external_data(tmp_path / "a.onnx", "a.onnx")
