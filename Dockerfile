# The images of the services, in two targets: worker-onnx (small, without TensorFlow) and worker-tensorflow.
# Either one is the producer too, since it opens the model as the workers do: `node dist/services/producer/src/main.js`.
#
#   docker compose build                                   builds worker-onnx
#   LAYERTAP_WORKER_TARGET=tensorflow docker compose build
#
# No BuildKit extras: any builder since multi-stage builds reads this file.

ARG NODE_IMAGE=node:20-bookworm-slim

# ---- packages: every npm package, those for compiling too; made anew only when the lock file changes
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund --loglevel=error && npm cache clean --force --loglevel=error

# ---- compiled: the sources as JavaScript, and what else the package holds
FROM packages AS compiled
COPY . .
RUN node_modules/.bin/tsc -p tsconfig.build.json \
 && node_modules/.bin/asc --config extractor/assembly/asconfig.json \
 && node setup/bundle.mjs dist \
 && find dist -name '*.d.ts' -delete \
 && mkdir package && mv package.json dist package/ && mkdir package/demo && mv demo/model package/demo/ \
 # Whoever checked the sources out, the services read them as another user.
 && chmod -R a+rX package

# ---- production: the packages of a running service, without other platforms' binaries, source maps, types and
# browser bundles: half of their weight
FROM packages AS production
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error \
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d \
      ! -path "*/$(node -p 'process.platform')/$(node -p 'process.arch')" -exec rm -r '{}' + \
 && find node_modules/@julusian/jpeg-turbo/prebuilds -mindepth 1 -maxdepth 1 \
      ! -name "jpeg-turbo-linux-$(node -p 'process.arch')" -exec rm -r '{}' + \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && find node_modules/@tensorflow/*/dist -maxdepth 1 -type f -name 'tf[.-]*' ! -name '*.node.js' -delete \
 && rm -rf node_modules/@tensorflow/*/dist/miniprogram node_modules/@tensorflow/*/src \
      node_modules/parquet-wasm/bundler node_modules/parquet-wasm/esm \
 && chmod -R a+rX node_modules

# ---- production-onnx: the same without tfjs-node and the packages that only it needs
FROM production AS production-onnx
RUN npm uninstall --ignore-scripts --offline --omit=dev --no-audit --no-fund --loglevel=error @tensorflow/tfjs-node

# ---- tensorflow: the library from the Python registry and tfjs-node's binding, made by the set-up's own code
FROM production AS tensorflow
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*
ENV LAYERTAP_CACHE=/opt/layertap LAYERTAP_TENSORFLOW=wheel
# Its content decides whether this stage is made anew: a change elsewhere in the sources downloads nothing.
COPY --from=compiled /app/package/dist/setup dist/setup
COPY --from=compiled /app/package/package.json ./
# Without its symbol table the library is a quarter smaller; the last line proves that it still computes.
RUN node --input-type=module -e "const { prepareTensorFlow } = await import('/app/dist/setup/src/tensorflow-library.js'); \
      const status = await prepareTensorFlow({ log: line => console.log(line) }); \
      if (!status.available) throw new Error(status.reason);" \
 && strip --strip-unneeded /opt/layertap/tensorflow/*/deps/lib/*.so.2 /opt/layertap/tensorflow/*/lib/*/*.node \
 && chmod -R a+rX /opt/layertap \
 && node --input-type=module -e "const { findTfjsNode, verifyBinding } = await import('/app/dist/setup/src/tensorflow-binding.js'); \
      await verifyBinding(findTfjsNode());"

# ---- runtime: what both targets share; nothing in it can be written by the user it runs as but /out and /photos
FROM ${NODE_IMAGE} AS runtime
LABEL org.opencontainers.image.title="layertap" \
      org.opencontainers.image.description="Streams the output of any layer of any vision model into Arrow and Parquet files" \
      org.opencontainers.image.licenses="MIT"
# A volume that is mounted here first takes this owner over.
RUN mkdir /out /photos && chown node:node /out /photos
WORKDIR /app
ENV NODE_ENV=production LAYERTAP_CACHE=/opt/layertap
# For whatever loads ONNX Runtime in a container besides Layertap, which sets it itself.
ENV ORT_DISABLE_TELEMETRY=1
USER node
# Exec form: node gets the SIGTERM of `docker stop`, finishes the shard in hand and ends with 0.
CMD ["node", "dist/services/worker/src/main.js"]

# ---- the targets
FROM runtime AS worker-tensorflow
COPY --from=tensorflow /opt/layertap /opt/layertap
COPY --from=tensorflow /app/node_modules node_modules
COPY --from=compiled /app/package ./

FROM runtime AS worker-onnx
COPY --from=production-onnx /app/node_modules node_modules
COPY --from=compiled /app/package ./
