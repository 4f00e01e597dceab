// Log lines for people, and as JSON for programs.
import { describe, expect, it } from 'vitest';
import { createLogger, type LoggerOptions, silentLogger } from '../../shared/src/logger.ts';

function linesOf(options: LoggerOptions, log: (logger: ReturnType<typeof createLogger>) => void): readonly string[] {
  const lines: string[] = [];
  log(createLogger({ ...options, write: line => lines.push(line) }));
  return lines;
}

describe('a logger', () => {
  it('writes the message with its fields, and the level where it is not info', () => {
    const lines = linesOf({}, logger => {
      logger.log('info', 'queued', { shards: 3, run: 'run-1' });
      logger.log('warn', 'slow');
      logger.log('error', 'gone', { path: undefined, list: [1] });
    });
    expect(lines).toEqual(['queued shards=3 run=run-1', 'warn: slow', 'error: gone list=[1]']);
  });

  it('drops what is below its level', () => {
    const log = (logger: ReturnType<typeof createLogger>): void => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) logger.log(level, level);
    };
    expect(linesOf({}, log)).toHaveLength(3);
    expect(linesOf({ level: 'debug' }, log)).toHaveLength(4);
    expect(linesOf({ level: 'error' }, log)).toEqual(['error: error']);
  });

  it('writes one JSON object a line where asked for', () => {
    const [line = ''] = linesOf({ json: true }, logger => logger.log('warn', 'two\nlines', { shard: 3 }));
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      level: 'warn',
      message: 'two\nlines',
      shard: 3,
    });
  });

  it('may drop everything', () => {
    expect(() => silentLogger.log('error', 'nobody hears this')).not.toThrow();
  });
});
