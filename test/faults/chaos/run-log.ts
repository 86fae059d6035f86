import { appendFileSync } from 'node:fs'
import { systemClock } from '../../../src/clock.ts'

/** The log of a run: one line an event, by the time since the start; no paths, no addresses. */
export class RunLog {
  readonly #path: string
  readonly #startedAtMs = systemClock.elapsedMs()

  constructor(path: string) {
    this.#path = path
  }

  /** Notes an event with the time. */
  note(text: string): void {
    this.write(`${minutesText(systemClock.elapsedMs() - this.#startedAtMs)}  ${text}`)
  }

  /** Writes a line as it stands. */
  write(line: string): void {
    appendFileSync(this.#path, `${line}\n`)
    process.stdout.write(`${line}\n`)
  }
}

/** `07:31.4`: minutes, seconds, tenths. */
export function minutesText(elapsedMs: number): string {
  const tenths = Math.floor(elapsedMs / 100)
  const minutes = String(Math.floor(tenths / 600)).padStart(2, '0')
  const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, '0')
  return `${minutes}:${seconds}`
}

/** `12.3 s`. */
export function secondsText(elapsedMs: number): string {
  return `${(elapsedMs / 1000).toFixed(1)} s`
}
