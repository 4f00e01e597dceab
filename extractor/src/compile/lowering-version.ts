/**
 * Raised by every change that can change a feature's last bits, since a run is finished with the lowering that it began with,
 * and by every kernel that is added: the cache remembers what cannot be compiled.
 */
export const LOWERING = 5;
