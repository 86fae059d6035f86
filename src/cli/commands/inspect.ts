import { once } from 'node:events'
import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import { parseReferences } from '../../format/reference-list.ts'
import { isSegmentKey, type Reference } from '../../format/reference-value.ts'
import type { FooterSource, SegmentFooter } from '../../format/segment-footer.ts'
import type { SegmentInspection } from '../../reader/segment-inspection.ts'
import { summarizeSegment } from '../../reader/segment-summary.ts'
import { guardKeys } from '../guard-keys.ts'
import { type ConfigOption, withConfigOption, withExamples } from '../options.ts'
import { startProgress } from '../progress.ts'
import { renderJson } from '../render.ts'
import { renderSegment } from '../segment-text.ts'
import type { Terminal } from '../terminal.ts'

interface InspectOptions extends ConfigOption {
  readonly reference?: string
  readonly verify?: true
  readonly frames?: true
  readonly json?: true
}

/** Frames that are written at once. */
const FRAMES_PER_WRITE = 1_000

/** `sealstream inspect`. */
export function registerInspect(program: Command, terminal: Terminal): void {
  const inspect = program
    .command('inspect')
    .description('Tell what one segment holds, without any key, and with --verify open all of it')
    .argument('[object]', 'key of the object in the bucket, as references and impact name it')
    .option('--reference <json>', 'look at the object that this reference value names')
    .option('--verify', 'unwrap the data key and open every frame; prints no plaintext')
    .option('--frames', 'then list every frame, one JSON object a line')
    .option('--json', 'print JSON')
    .action((object: string | undefined, options: InspectOptions) =>
      answer(object, options, terminal),
    )
  withExamples(
    withConfigOption(inspect),
    'sealstream inspect sealstream/segments/orders/2026/01/02/03/2f6c1e9a-….seal',
    'sealstream inspect sealstream/segments/orders/2026/01/02/03/2f6c1e9a-….seal --verify',
    `sealstream inspect --reference '{"v":1,"object":"…","topic":"orders",…}' --frames`,
  )
}

async function answer(
  object: string | undefined,
  options: InspectOptions,
  terminal: Terminal,
): Promise<void> {
  const { env } = terminal
  const key = objectOf(object, options)
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  if (options.verify) await guardKeys(config, env)
  const { inspection, verifiedFrames } = await look(config, key, options.verify === true)
  const summary = summarizeSegment(inspection)
  if (options.json) {
    terminal.out(renderJson({ ...summary, ...(verifiedFrames === null ? {} : { verifiedFrames }) }))
  } else {
    const text = renderSegment(summary, verifiedFrames)
    // The list is data, and has stdout to itself.
    if (options.frames) terminal.err(text)
    else terminal.out(text)
  }
  if (options.frames) await list(inspection.footer)
}

function objectOf(object: string | undefined, { reference }: InspectOptions): string {
  if (reference === undefined && object !== undefined) {
    if (isSegmentKey(object)) return object
    throw new SealError('SEAL_INPUT_INVALID', `"${object}" is not the key of a segment`)
  }
  if (reference !== undefined && object === undefined)
    return (parseReferences(reference)[0] as Reference).object
  throw new SealError('SEAL_INPUT_INVALID', 'name an object, or give one --reference, not both')
}

interface Findings {
  readonly inspection: SegmentInspection
  /** null when no key was used. */
  readonly verifiedFrames: number | null
}

async function look(config: Config, object: string, isVerified: boolean): Promise<Findings> {
  const { withInspector } = await import('../../compose/inspection.ts')
  return withInspector(config, async ({ inspect, verify }) => {
    const inspection = await inspect(object)
    if (!isVerified) return { inspection, verifiedFrames: null }
    const progress = startProgress('frames', true, inspection.footer.frames.length)
    try {
      const verifiedFrames = await verify(inspection, (count) => progress.add(count))
      return { inspection, verifiedFrames }
    } finally {
      progress.end()
    }
  })
}

async function list({ frames, sources }: SegmentFooter): Promise<void> {
  for (let from = 0; from < frames.length; from += FRAMES_PER_WRITE) {
    const lines = frames
      .slice(from, from + FRAMES_PER_WRITE)
      .map(({ source, offset, seq, position, length }) => {
        const { topic, partition } = sources[source] as FooterSource
        return renderJson({ topic, partition, offset, seq, position, length })
      })
    if (!process.stdout.write(lines.join(''))) await once(process.stdout, 'drain')
  }
}
