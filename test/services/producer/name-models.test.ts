// What several models of a run are called, and which layers are whose.
import { describe, expect, it } from 'vitest';
import { layersOf, nameModels } from '../../../services/producer/src/name-models.ts';
import { refusalOf } from '../../support/refusal.ts';

describe('nameModels', () => {
  it('names no model that is alone, unless it was given a name', () => {
    expect(nameModels(['/models/resnet50.keras'])).toEqual([{ name: undefined, reference: '/models/resnet50.keras' }]);
    expect(nameModels(['a=/models/resnet50.keras'])).toEqual([{ name: 'a', reference: '/models/resnet50.keras' }]);
  });

  it.each([
    ['models/resnet50.keras', 'resnet50'],
    ['mobilenet/model.json', 'mobilenet'],
    ['model.json', 'model'],
    ['saved/clip/', 'clip'],
    ['https://host/a/net.v2.onnx?token=x#sha256=00', 'net.v2'],
    ['my model.h5', 'my_model'],
    ['./a=b/net.onnx', 'net'],
  ])('names %s among others %s', (reference, name) => {
    expect(nameModels([reference, 'z=other'])[0]).toEqual({ name, reference });
  });

  it('refuses two of one name', async () => {
    const { hint } = await refusalOf(() => nameModels(['a/net.onnx', 'b/net.onnx']), 'bad-option');
    expect(hint).toContain('--model first=PATH');
  });
});

describe('layersOf', () => {
  const models = nameModels(['a=first', 'b=second']);
  const [a, b] = models as [(typeof models)[0], (typeof models)[0]];

  it('gives a layer to every model, or to the one that is named', () => {
    const wanted = ['outputs', 'a/conv', 'b/block/conv', 'block/conv'];
    expect(layersOf(a, models, wanted)).toEqual(['outputs', 'conv', 'block/conv']);
    expect(layersOf(b, models, wanted)).toEqual(['outputs', 'block/conv', 'block/conv']);
  });

  it('gives names with slashes as they are to a model that is alone', () => {
    const [alone] = nameModels(['first']) as [(typeof models)[0]];
    expect(layersOf(alone, [alone], ['first/conv'])).toEqual(['first/conv']);
  });

  it('refuses where a model is left without a layer', async () => {
    const { message, hint } = await refusalOf(() => layersOf(b, models, ['a/conv']), 'bad-option');
    expect(message).toContain("none of 'b' is asked for");
    expect(hint).toBe('Add --layer b/NAME.');
  });
});
