// Which output of a TensorFlow op a name like `node:batch_mean:0` inside a function means. From TensorFlow's op registry (2.21).
import { Refusal } from '../../../shared/src/errors.ts';

/** Output arguments, in order, of ops with more than one that a model run on images can hold. Each is one tensor. */
const OUTPUTS: Readonly<Record<string, string>> = {
  ApproxTopK: 'values indices',
  BatchSelfAdjointEigV2: 'e v',
  BlockLSTM: 'i cs f o ci co h',
  BlockLSTMV2: 'i cs f o ci co h',
  BroadcastGradientArgs: 'r0 r1',
  CombinedNonMaxSuppression: 'nmsed_boxes nmsed_scores nmsed_classes valid_detections',
  Eig: 'e v',
  FractionalAvgPool: 'output row_pooling_sequence col_pooling_sequence',
  FractionalMaxPool: 'output row_pooling_sequence col_pooling_sequence',
  FusedBatchNorm: 'y batch_mean batch_variance reserve_space_1 reserve_space_2',
  FusedBatchNormV2: 'y batch_mean batch_variance reserve_space_1 reserve_space_2',
  FusedBatchNormV3: 'y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3',
  GRUBlockCell: 'r u c h',
  GenerateBoundingBoxProposals: 'rois roi_probabilities',
  LSTMBlockCell: 'i cs f o ci co h',
  ListDiff: 'out idx',
  LogMatrixDeterminant: 'sign log_abs_determinant',
  LookupTableExportV2: 'keys values',
  Lu: 'lu p',
  MaxPoolWithArgmax: 'output argmax',
  Merge: 'output value_index',
  NonMaxSuppressionV4: 'selected_indices valid_outputs',
  NonMaxSuppressionV5: 'selected_indices selected_scores valid_outputs',
  Qr: 'q r',
  QuantizeV2: 'output output_min output_max',
  SampleDistortedBoundingBoxV2: 'begin size bboxes',
  SelfAdjointEigV2: 'e v',
  SoftmaxCrossEntropyWithLogits: 'loss backprop',
  SparseSoftmaxCrossEntropyWithLogits: 'loss backprop',
  StatelessRandomGetKeyCounter: 'key counter',
  StatelessRandomGetKeyCounterAlg: 'key counter alg',
  StatelessSampleDistortedBoundingBox: 'begin size bboxes',
  Svd: 's u v',
  Switch: 'output_false output_true',
  TensorArrayConcatV3: 'value lengths',
  TensorArrayV3: 'handle flow',
  TensorListConcatV2: 'tensor lengths',
  TensorListPopBack: 'output_handle tensor',
  TopK: 'values indices',
  TopKV2: 'values indices',
  Unique: 'y idx',
  UniqueV2: 'y idx',
  UniqueWithCountsV2: 'y idx count',
};

/** Families in which most ops have several outputs, and which the table leaves out. */
const SEVERAL =
  /^(Quantized|Requantiz|Sparse(?!ToDense|TensorDense)|Ragged(?!TensorToTensor)|XlaSparse|CTC|Cudnn|Unicode|Parse|Boosted|Reader|Retrieve)/;

/**
 * The number of an output. An op that isn't in the table has one output argument, alone or a list: there the index says it.
 * @throws Refusal `model-unreadable` for an op whose outputs this project does not know
 */
export function outputIndex(op: string, argument: string, index: number): number {
  const outputs = OUTPUTS[op]?.split(' ');
  if (outputs === undefined && !SEVERAL.test(op)) return index;
  const position = outputs?.indexOf(argument) ?? -1;
  if (position >= 0) return position;
  throw new Refusal(
    'model-unreadable',
    `Expected an operation whose outputs are known but received ${op} (${argument})`,
    {
      hint: 'Inner tensors of this SavedModel cannot be had; export the Keras model as a .keras file instead.',
    },
  );
}
