/** Raised by every change that can change a feature's last bits: a run is finished with the lowering that it began with. */
export const LOWERING = 3;
