// The child of onnx-probe.ts: runs one model on zeros, sends the shapes of its layers, and ends.
import { answerProbe } from '../answer-probe.ts';
import { shapesOfAllLayers } from './onnx-shapes.ts';

await answerProbe(({ model }: { readonly model: string }) => shapesOfAllLayers(model));
