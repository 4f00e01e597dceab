// Log lines on standard error: for people by default, one JSON object a line where asked for.

import { fitAdvice } from './advice.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface LoggerOptions {
  /** @default 'info' */
  readonly level?: LogLevel;
  /** One JSON object a line instead of text. @default false */
  readonly json?: boolean;
  readonly write?: (line: string) => void;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const lowest = LOG_LEVELS.indexOf(options.level ?? 'info');
  const write = options.write ?? ((line: string) => void process.stderr.write(`${line}\n`));
  return {
    log(level, text, fields = {}): void {
      if (LOG_LEVELS.indexOf(level) < lowest) return;
      const message = fitAdvice(text);
      if (options.json === true) {
        write(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
        return;
      }
      const details = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
      write([level === 'info' ? '' : `${level}:`, message, ...details].filter(text => text !== '').join(' '));
    },
  };
}

/** Drops everything: for libraries and tests. */
export const silentLogger: Logger = { log: () => undefined };
