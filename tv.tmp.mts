import { preparePythonPackages } from '/work/main/setup/src/python-packages.ts';
try { console.log(await preparePythonPackages('thingsvision', { log: l => console.log(l) })); } catch (e) { console.log(String(e).slice(0, 3000)); }
