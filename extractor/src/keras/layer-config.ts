// The one dialect of a layer's config: Keras 3's field names, and plain values instead of serialised objects. For read-graph.ts.
import type { Json, JsonObject } from '../layer-graph.ts';

/** Fields that play no part in what a finished model computes. */
const TRAINING_ONLY =
  /(_initializer|_regularizer|_constraint)$|^(initializer|gamma_init|beta_init|init|seed|trainable|autocast|sparse|ragged|optional|dynamic|build_input_shape)$/;

/** Keras 1 and 2 called these otherwise. */
const RENAMED: Readonly<Record<string, string>> = { batch_input_shape: 'batch_shape' };

/**
 * @param config as a model file holds it
 * @returns without what only training needs, objects of Keras unwrapped: a dtype policy is its name, an activation its
 * name (or `{ class_name, config }` for a configured one), an array its values
 */
export function normaliseConfig(config: JsonObject): JsonObject {
  const fields: Record<string, Json> = {};
  for (const [name, value] of Object.entries(config)) {
    if (TRAINING_ONLY.test(name)) continue;
    fields[RENAMED[name] ?? name] = name === 'dtype' ? dtypeName(value) : unwrap(value);
  }
  return fields;
}

/** Keras' serialised objects as plain values, at any depth. */
export function unwrap(value: Json): Json {
  if (isList(value)) return value.map(unwrap);
  if (!isObject(value)) return value;
  const { class_name: className, config } = value;
  if (typeof className !== 'string') return mapValues(value, unwrap);
  const inner = isObject(config) ? config : {};
  switch (className) {
    case 'function':
      return typeof config === 'string' ? bareName(config) : bareName(inner.class_name ?? null);
    case '__tensor__':
    case '__numpy__':
    case '__tuple__':
    case '__bytes__':
      return unwrap(inner.value ?? inner.items ?? null);
    case 'TensorShape':
      return unwrap(value.items ?? null);
    case '__ellipsis__':
      return '...';
    case '__slice__':
      return { start: unwrap(inner.start ?? null), stop: unwrap(inner.stop ?? null), step: unwrap(inner.step ?? null) };
    case 'DTypePolicy':
    case 'Policy':
      return dtypeName(value);
    default:
      // A layer inside a wrapper, or a configured activation.
      return { class_name: className, config: normaliseConfig(inner), ...moduleOf(value) };
  }
}

/** `keras>relu` and `keras.src.activations.relu` are `relu`. */
function bareName(name: Json): Json {
  return typeof name === 'string' ? name.replace(/^.*[>.]/, '') : name;
}

/** `float32` of `'float32'`, of a policy object and of what mixed precision wraps. */
function dtypeName(value: Json): Json {
  if (!isObject(value)) return value;
  return isObject(value.config ?? null) ? ((value.config as JsonObject).name ?? 'float32') : 'float32';
}

function moduleOf(value: JsonObject): JsonObject {
  return typeof value.module === 'string' ? { module: value.module } : {};
}

function mapValues(value: JsonObject, change: (field: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, change(field)]));
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
