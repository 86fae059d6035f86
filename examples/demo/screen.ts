import { SingleBar } from 'cli-progress'
import { type Paint, paintFor } from '../../docker/stack/stack-terminal.ts'
import { systemClock } from '../../src/clock.ts'
import { count, seconds, timeLeft } from './figures.ts'
import { RateMeter } from './rate-meter.ts'

const LINE_INTERVAL_MS = 2_000
const TITLE_WIDTH = 18
const BAR = `  {title} {bar} {percentage}%  {value}/{total}  {pace}`

/** Progress of one step. */
export interface Progress {
  /** How many there are by now. Cheap enough for every batch. */
  update(value: number): void
  /** The step is done; `note` goes to the end of its line. Takes the bar away. */
  done(note?: string): void
  /** The step was given up. Takes the bar away; harmless after `done`. */
  close(): void
}

/** Where the demo talks to people. A bar on a terminal, a line every two seconds elsewhere. */
export class Screen {
  readonly paint: Paint
  readonly #output: NodeJS.WriteStream

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
    this.paint = paintFor(output)
  }

  line(text = ''): void {
    this.#output.write(`${text}\n`)
  }

  /** Begins a chapter of the demo. */
  heading(text: string): void {
    this.line(`\n${this.paint('dim', '──')} ${text}`)
  }

  /** Shows the progress of a step with `total` messages; null when nobody knows how many. */
  progress(title: string, total: number | null): Progress {
    const beganMs = systemClock.elapsedMs()
    const meter = new RateMeter()
    const bar = this.#output.isTTY && total !== null ? this.#bar(title, total) : null
    let value = 0
    let lineAtMs = beganMs
    return {
      update: (next) => {
        value = next
        const nowMs = systemClock.elapsedMs()
        const rate = meter.perSecond(value, nowMs)
        bar?.update(value, { pace: paceOf(rate, (total ?? 0) - value) })
        if (bar !== null || nowMs - lineAtMs < LINE_INTERVAL_MS) return
        lineAtMs = nowMs
        const of = total === null ? '' : ` of ${count(total)}`
        const pace = rate === null ? '' : `  ${count(rate)}/s`
        this.line(`  ${title.padEnd(TITLE_WIDTH)} ${count(value)}${of}${pace}`)
      },
      done: (note = '') => {
        bar?.stop()
        const time = seconds((systemClock.elapsedMs() - beganMs) / 1000)
        const facts = `${count(value).padStart(9)} messages  ${time.padStart(7)}  ${note}`
        this.line(`  ${title.padEnd(TITLE_WIDTH)} ${facts}`.trimEnd())
      },
      close: () => bar?.stop(),
    }
  }

  #bar(title: string, total: number): SingleBar {
    const bar = new SingleBar({
      format: BAR,
      stream: this.#output,
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      clearOnComplete: true,
      // Interrupts are the demo's own business: it ends its children first.
      gracefulExit: false,
    })
    bar.start(total, 0, { title: title.padEnd(TITLE_WIDTH), pace: '' })
    return bar
  }
}

/** Rate and time left; blank until there is a rate. */
function paceOf(perSecond: number | null, left: number): string {
  return perSecond === null ? '' : `${count(perSecond)}/s  ETA ${timeLeft(left, perSecond)}`
}
