import type { ReferenceSelection } from '../compose/references.ts'
import { configFileOf, loadConfig } from '../config/load-config.ts'
import type { Config } from '../config/schema.ts'
import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import type { SealedReader } from '../reader/sealed-reader.ts'
import { openOutputFile, stdoutOutput } from './data-output.ts'
import { guardKeys } from './guard-keys.ts'
import { MessagePrinter } from './message-printer.ts'
import type { ConfigOption } from './options.ts'
import { startProgress } from './progress.ts'
import { stopSignal } from './stop-signal.ts'
import type { Terminal } from './terminal.ts'

/** How messages are printed, and where to. */
export interface PrintOptions extends ConfigOption {
  readonly values?: true
  readonly output?: string
}

/** What messages are read and printed with. */
export interface ReadingPlace {
  readonly config: Config
  readonly reader: SealedReader
  readonly printer: MessagePrinter
  readonly isToTerminal: boolean
}

/** Which messages of a topic are read. */
export interface TopicSelection {
  readonly topic: string
  readonly from: ReferenceSelection['from']
  readonly follow: boolean
  /** All of them where no number is given. */
  readonly max?: number | undefined
}

/** Frames opened at a time: bounds memory, and fills ranged requests. */
const SLICE_BYTES_MAX = 8 * 1024 * 1024
const SLICE_REFERENCES_MAX = 5_000

/** Loads the configuration, and has `work` done with a reader and a printer, which it closes. */
export async function withReader(
  options: PrintOptions,
  { env }: Terminal,
  work: (place: ReadingPlace) => Promise<void>,
): Promise<void> {
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const { composeReader } = await import('../compose/references.ts')
  const file = options.output
  const output = file === undefined ? stdoutOutput : await openOutputFile(file)
  const reader = composeReader(config)
  try {
    const printer = new MessagePrinter(output, options.values === true)
    const isToTerminal = file === undefined && process.stdout.isTTY
    await work({ config, reader, printer, isToTerminal })
  } finally {
    await reader.close()
    await output.close()
  }
}

/** Prints the messages that one value of a reference topic names. */
export async function printValue(value: string, { reader, printer }: ReadingPlace): Promise<void> {
  for (const slice of slicesOf(parseReferences(value))) {
    await printer.print(await reader.openReferences(slice))
  }
}

/** Reads messages and prints them, until the end, `max` or a signal to the process. */
export async function readTopic(
  { topic, from, follow, max }: TopicSelection,
  { config, reader, printer, isToTerminal }: ReadingPlace,
): Promise<void> {
  const stop = stopSignal()
  const enough = new AbortController()
  const progress = startProgress('messages', !isToTerminal)
  let left = max ?? Number.POSITIVE_INFINITY
  // Fetches of several partitions come at once; their messages must not mix within a line.
  let turn = Promise.resolve()
  try {
    const { readReferences } = await import('../compose/references.ts')
    await readReferences(
      config,
      { topic, from, follow, signal: AbortSignal.any([stop.signal, enough.signal]) },
      (values) => {
        const work = async () => {
          for (const slice of slicesOf(values.flatMap((value) => parseReferences(value)))) {
            const messages = await reader.openReferences(slice.slice(0, left))
            left -= messages.length
            await printer.print(messages)
            progress.add(messages.length)
            if (left > 0) continue
            enough.abort()
            return
          }
        }
        turn = turn.then(work)
        return turn
      },
    )
  } finally {
    progress.end()
    stop.release()
  }
}

function* slicesOf(references: readonly Reference[]): Generator<Reference[]> {
  let slice: Reference[] = []
  let bytes = 0
  for (const reference of references) {
    slice.push(reference)
    bytes += reference.length
    if (bytes < SLICE_BYTES_MAX && slice.length < SLICE_REFERENCES_MAX) continue
    yield slice
    slice = []
    bytes = 0
  }
  if (slice.length > 0) yield slice
}
