// The budget of decoded pixels: never more than its total, whoever asks, and nothing lost with a thread.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createPixelShares, openPixelBudget, returnShare } from '../../../services/worker/src/pixel-budget.ts';

describe('openPixelBudget', () => {
  it('never lets the shares hold more than the total together', async () => {
    const createShare = createPixelShares(100);
    const budgets = [openPixelBudget(createShare()), openPixelBudget(createShare())];
    let held = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const pixels = 10 + (i % 5) * 20;
        const giveBack = await budgets[i % 2]?.take(pixels);
        held += pixels;
        most = Math.max(most, held);
        await sleep(1);
        held -= pixels;
        giveBack?.(true);
      }),
    );
    expect(held).toBe(0);
    expect(most).toBeLessThanOrEqual(100);
    expect(most).toBeGreaterThan(50);
  });

  it('gives an image of more than the total all of it, and alone', async () => {
    const share = createPixelShares(100)();
    const budget = openPixelBudget(share);
    const small = await budget.take(1);
    const large = budget.take(1000);
    await sleep(30);
    expect([share.free[0], share.held[0]]).toEqual([99, 1]);
    small(true);
    const giveBack = await large;
    expect([share.free[0], share.held[0]]).toEqual([0, 100]);
    giveBack(true);
    expect([share.free[0], share.held[0]]).toEqual([100, 0]);
  });
});

describe('openPixelBudget of a thread that has made much garbage', () => {
  it('collects it before others may decode', async () => {
    const share = createPixelShares(32_000_000)();
    const budget = openPixelBudget(share);
    const giveBack = await budget.take(20_000_000);
    giveBack(true);
    expect(share.held[0]).toBe(20_000_000);
    (await budget.take(32_000_000))(true);
    (await budget.take(1))(true);
    expect([share.free[0], share.held[0]]).toEqual([32_000_000, 0]);
  });

  it('has nothing to collect where the memory of the pixels serves the next image', async () => {
    const share = createPixelShares(32_000_000)();
    const budget = openPixelBudget(share);
    (await budget.take(20_000_000))(false);
    expect([share.free[0], share.held[0]]).toEqual([32_000_000, 0]);
  });
});

describe('returnShare', () => {
  it('gives the others what a thread held when it ended, and nothing that it had given back', async () => {
    const createShare = createPixelShares(100);
    const [dying, other] = [createShare(), createShare()];
    await openPixelBudget(dying).take(70);
    (await openPixelBudget(dying).take(20))(true);
    const waiting = openPixelBudget(other).take(60);
    returnShare(dying);
    await waiting;
    expect([other.free[0], dying.held[0], other.held[0]]).toEqual([40, 0, 60]);
    returnShare(dying);
    expect(other.free[0]).toBe(40);
  });
});
