// Given to a process by NODE_OPTIONS=--import: at SIGUSR2 its clock jumps an hour ahead, at the next one two hours back, and so on.
const now = Date.now.bind(Date);
const Real = Date;
let shift = 0;

globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(now() + shift);
    else super(...args);
  }

  static now() {
    return now() + shift;
  }
};

process.on('SIGUSR2', () => {
  shift = shift > 0 ? -3_600_000 : 3_600_000;
});
