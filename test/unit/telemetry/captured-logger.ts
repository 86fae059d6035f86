import { Writable } from 'node:stream'
import { createLogger, type Logger } from '../../../src/telemetry/logger.ts'

/** A real logger whose lines can be read back. */
export function captureLogger(): { logger: Logger; lines: () => Record<string, unknown>[] } {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  const lines = () =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { logger: createLogger({ level: 'info', stream }), lines }
}
