// Which flipped bits in a JPEG's structure are damage, and which its decoders pass over.
import { describe, expect, it } from 'vitest';
import { findDamage } from '../../../extractor/src/preprocess/structure.ts';

const QUANTISATION = 'ffdb000300';
const RESTARTS = 'ffdd00040008';
const SCAN = 'ffda000c03010002110311003f00';
const END = 'ffd9';

describe('findDamage', () => {
  it('finds none in a scan with stuffed bytes, restarts, a comment and anything after the end', () => {
    expect(damageOf(jpeg({}), '12ff0034ffd056ffff00fffe0004abcd', END, 'ffc4ffaf')).toBeNull();
  });

  it('finds a marker of a table or frame inside the only scan', () => {
    for (const marker of ['ffc4', 'ffc0', 'ffdb', 'ffd8', 'ffda', 'fff7']) {
      expect(damageOf(jpeg({}), '1234', marker, '5678', END)).toBe(
        `JPEG marker 0x${marker.slice(2)} in the image data`,
      );
    }
  });

  it('passes over unknown markers only where there are restarts to catch up at', () => {
    expect(damageOf(jpeg({}), '12ffae34', END)).toBe('JPEG marker 0xae in the image data');
    expect(damageOf(jpeg({ tables: RESTARTS }), '12ffae34', END)).toBeNull();
  });

  it('leaves scans beyond the first, and progressive ones, to the decoder', () => {
    expect(damageOf(jpeg({ frame: 'ffc2' }), '12ffc434', END)).toBeNull();
  });

  it('finds frames that Pillow has no mode for', () => {
    expect(damageOf(jpeg({ bits: '0c' }), END)).toBe('JPEG of 12 bits a channel');
    expect(damageOf(jpeg({ components: '02' }), END)).toBe('JPEG of 2 channels');
  });

  it('finds an unknown marker before the scan, and passes over filling bytes', () => {
    expect(damageOf(jpeg({ tables: 'ff420004abcd' }), END)).toBe('unknown JPEG marker 0x42');
    expect(damageOf(jpeg({ tables: `ffff${QUANTISATION}` }), END)).toBeNull();
  });

  it('ends on a segment of length 0 and on a file that stops anywhere', () => {
    const whole = Buffer.from(`${jpeg({ tables: 'ffe00000' })}12ffe00000${END}`, 'hex');
    for (let length = 0; length <= whole.length; length++) findDamage(whole.subarray(0, length), 'jpeg');
    expect(findDamage(whole, 'gif')).toBeNull();
  });
});

/** Everything up to the image data, in hex: one frame of three components and one scan of all of them. */
function jpeg({ frame = 'ffc0', bits = '08', components = '03', tables = QUANTISATION }): string {
  return `ffd8${tables}${frame}0011${bits}00080008${components}012200021101031101${SCAN}`;
}

function damageOf(...hex: readonly string[]): string | null {
  return findDamage(Buffer.from(hex.join(''), 'hex'), 'jpeg');
}
