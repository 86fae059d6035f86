import { benchEnd } from '../bench-end.ts'
import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { meanBytesOf } from '../kafka/contents.ts'
import { fill, type RoadOptions } from '../road/road.ts'
import { type RoadFigures, watchRoad } from '../road/road-watch.ts'
import { startEncryptor } from '../road/start-encryptor.ts'
import { verifyRoad } from '../road/verify-road.ts'
import { STAGES, type StageName } from './stage-names.ts'

/** One rung of the ladder: the road up to a stage, everything behind it answering at once. */
export interface StageRow {
  readonly stage: StageName
  readonly valueBytes: number
  readonly runs: readonly RoadFigures[]
}

/** Where the program is told which stage is the last. */
const STAGE_VARIABLE = 'BENCH_STAGE'
const NULLS = new URL('./null-stages.ts', import.meta.url).href

/** The ladder on services of its own, as {@link measureStages} does it. */
export function stages(options: RoadOptions, repeats: number): Promise<StageRow[]> {
  return withBenchStack((stack) => measureStages(stack, options, repeats), { isShortLived: true })
}

/**
 * Runs the encryptor over one topic again and again, each time with one stage more that is real; all
 * stages in turns, so that a busy spell meets all of them. What a stage costs is the difference to the row
 * above it, in this process and in every service. The last one is the whole road, and is verified.
 */
export async function measureStages(
  stack: BenchStack,
  options: RoadOptions,
  repeats: number,
): Promise<StageRow[]> {
  const topic = 'stages'
  const log = await fill(stack, topic, options)
  const rows = STAGES.map((stage) => ({
    ...{ stage, valueBytes: meanBytesOf(options) },
    runs: [] as RoadFigures[],
  }))
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const { stage, runs } of rows) {
      process.stderr.write(`up to ${stage}, ${repeat + 1} of ${repeats}\n`)
      const name = `stages-${stage}-${repeat}`
      const suffix = `.${stage}-${repeat}`
      const overrides = [...options.overrides, `kafka.referenceTopicSuffix=${suffix}`]
      process.env[STAGE_VARIABLE] = stage
      const flags = ['--import', NULLS]
      const settings = { ...options, overrides }
      const encryptor = await startEncryptor(stack, name, [topic], settings, flags)
      try {
        runs.push(await watchRoad([encryptor], stack, log.messages, false))
      } finally {
        await encryptor.stop()
      }
      if (stage === STAGES.at(-1)) await verifyRoad(stack, name, log, benchEnd(), suffix)
    }
  }
  return rows
}
