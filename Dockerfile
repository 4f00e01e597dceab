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
 # What prepares TensorFlow, as two files: a change of anything else leaves the stage below as it is.
 && node_modules/.bin/esbuild dist/setup/src/tensorflow-library.js dist/setup/src/tensorflow-binding.js --bundle \
      --platform=node --format=esm --packages=external --outbase=dist --outdir=preparer/dist --log-level=warning \
 && mkdir package && mv package.json dist package/ && mkdir package/demo && mv demo/model package/demo/ \
 # The services read the files as another user than the one who checked the sources out.
 && chmod +x package/dist/cli/src/main.js && chmod -R a+rX package

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
ENV LAYERTAP_INSTALLED=/opt/layertap LAYERTAP_CACHE=/opt/layertap LAYERTAP_TENSORFLOW=wheel
COPY --from=compiled /app/preparer ./
COPY --from=compiled /app/package/package.json ./
# Without its symbol table the library is a quarter smaller; the last line proves that it still computes.
RUN node --input-type=module -e "const { prepareTensorFlow } = await import('/app/dist/setup/src/tensorflow-library.js'); \
      const status = await prepareTensorFlow({ log: line => console.log(line) }); \
      if (!status.available) throw new Error(status.reason);" \
 && strip --strip-unneeded /opt/layertap/tensorflow/*/deps/lib/*.so.2 /opt/layertap/tensorflow/*/lib/*/*.node \
 && chmod -R a+rX /opt/layertap \
 && node --input-type=module -e "const { findTfjsNode, verifyBinding } = await import('/app/dist/setup/src/tensorflow-binding.js'); \
      await verifyBinding(findTfjsNode());"

# ---- runtime: what both targets share
#
# Two folders for what is no part of the application. What the set-up installed (TensorFlow) is read-only:
# LAYERTAP_INSTALLED. What runs make and use again (compiled models, the choice of an engine) is in LAYERTAP_CACHE: mount a
# volume there, else it ends with the container. Where neither can be written, a run uses a temporary folder.
FROM ${NODE_IMAGE} AS runtime
LABEL org.opencontainers.image.title="layertap" \
      org.opencontainers.image.description="Streams the output of any layer of any vision model into Arrow and Parquet files" \
      org.opencontainers.image.licenses="MIT"
# A new volume that is mounted on one of these folders takes its owner and mode. As in /tmp, every user may create folders
# in it and none may replace those of another: the containers may run as any user, today's another than yesterday's.
RUN mkdir -p /out /photos /var/cache/layertap && chmod 1777 /out /photos /var/cache/layertap \
 && ln -s /app/dist/cli/src/main.js /usr/local/bin/layertap
WORKDIR /app
ENV NODE_ENV=production LAYERTAP_INSTALLED=/opt/layertap LAYERTAP_CACHE=/var/cache/layertap
# For whatever loads ONNX Runtime in a container besides Layertap, which sets it itself.
ENV ORT_DISABLE_TELEMETRY=1
# How messages name commands and paths.
ENV LAYERTAP_COMMAND=layertap \
    LAYERTAP_SETUP_COMMAND="docker build --target worker-tensorflow ." \
    LAYERTAP_MOUNTS="Paths are those inside the container: mount your folders, and give the paths that they have in here."
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
