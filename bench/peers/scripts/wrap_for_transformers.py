"""Gives a compiled model the input and output that transformers.js wants: pixel_values [N, 3, 224, 224] in,
last_hidden_state out. For models.ts.

  python wrap_for_transformers.py COMPILED.onnx TARGET.onnx
"""

import sys

import onnx
from onnx import TensorProto, helper

model = onnx.load(sys.argv[1])
graph = model.graph
given, wanted = graph.input[0].name, graph.output[0].name
turn = helper.make_node("Transpose", ["pixel_values"], [given], perm=[0, 2, 3, 1])
rename = helper.make_node("Identity", [wanted], ["last_hidden_state"])
graph.node.insert(0, turn)
graph.node.append(rename)
shape = [dim.dim_param or dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
del graph.input[:], graph.output[:]
graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["rows", 3, 224, 224]))
graph.output.append(helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape))
onnx.save(model, sys.argv[2])
