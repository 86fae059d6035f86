import { messageOf } from '../../src/errors.ts'
import { benchEnd } from '../bench-end.ts'
import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { type HeldRow, measureHeld } from '../road/held-road.ts'
import type { RoadOptions } from '../road/road.ts'
import { domainCases, partitionCases, type RoadCase, USUAL_CASE } from '../road/road-cases.ts'
import { domainOverrides } from '../road/road-config.ts'

/** What grows. */
export const AXES = ['partitions', 'domains', 'processes'] as const

/** The name of what grows. */
export type Axis = (typeof AXES)[number]

/** How much is measured. */
export interface ScalingOptions {
  readonly axes: readonly Axis[]
  /** Along partitions and processes; with domains by header two thirds of it. */
  readonly messages: number
  readonly mappings: readonly RoadOptions['mapping'][]
  readonly repeats: number
}

/** One line: what grows, how much of it there is, every repeat of its measurement, and what became of the others. */
export interface ScalingRow {
  readonly axis: Axis
  readonly mapping: RoadOptions['mapping']
  readonly count: number
  readonly runs: readonly HeldRow[]
  readonly failures: readonly string[]
}

interface Arm extends Omit<ScalingRow, 'runs' | 'failures'> {
  readonly runs: HeldRow[]
  readonly failures: string[]
  readonly measure: (stack: BenchStack, topic: string) => Promise<HeldRow>
}

const DOMAINS_SHARE = 2 / 3
const WARM_UP_SHARE = 1 / 2

/** All lines on services of their own. */
export function scaling(options: ScalingOptions): Promise<ScalingRow[]> {
  return withBenchStack((stack) => measureScaling(stack, options), { isShortLived: true })
}

/**
 * Measures every line on the same services, the repeats of all lines in turns. An unmeasured turn of
 * the road comes before: the services compile in it, which the first line would pay alone otherwise.
 */
export async function measureScaling(
  stack: BenchStack,
  options: ScalingOptions,
): Promise<ScalingRow[]> {
  const { axes, mappings, messages } = options
  const arms = mappings
    .flatMap((mapping) => armsOf({ messages, mapping }))
    .filter(({ axis }) => axes.includes(axis))
  for (const mapping of mappings) {
    const warmUp = { ...USUAL_CASE, messages: Math.ceil(messages * WARM_UP_SHARE), mapping }
    await measureCase(stack, `warm-up-${mapping}`, warmUp)
  }
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    for (const arm of arms) await measureArm(stack, arm, repeat)
  }
  return arms.map(({ measure: _, ...row }) => row)
}

/** One line that fails is told with its reason, and the others go on. */
async function measureArm(stack: BenchStack, arm: Arm, repeat: number): Promise<void> {
  const { axis, mapping, count, runs, failures, measure } = arm
  let outcome: string
  try {
    const row = await measure(stack, `${axis}-${count}-${mapping}-${repeat}`)
    runs.push(row)
    outcome = `${cpuMicrosOf(row).toFixed(1)} us a message`
  } catch (error) {
    benchEnd().throwIfAborted()
    outcome = messageOf(error)
    failures.push(outcome)
  }
  process.stderr.write(`${count} ${axis}, ${mapping}: ${outcome}\n`)
}

/** CPU microseconds a message over all processes. */
export function cpuMicrosOf({ cpuMicros }: Pick<HeldRow, 'cpuMicros'>): number {
  return Object.values(cpuMicros).reduce((sum, us) => sum + us, 0)
}

function armsOf(options: Pick<RoadCase, 'messages' | 'mapping'>): Arm[] {
  const { mapping } = options
  const base = { ...USUAL_CASE, ...options }
  const ofDomains = { ...base, messages: Math.ceil(options.messages * DOMAINS_SHARE) }
  const arm = (axis: Axis, count: number, measure: Arm['measure']): Arm => ({
    ...{ axis, mapping, count, measure },
    ...{ runs: [], failures: [] },
  })
  const ofCase = (axis: 'partitions' | 'domains', one: RoadCase) =>
    arm(axis, one[axis], (stack, topic) => measureCase(stack, topic, one))
  return [
    ...partitionCases(base).map((one) => ofCase('partitions', one)),
    ...domainCases(ofDomains).map((one) => ofCase('domains', one)),
    ...[1, 2].map((processes) =>
      arm('processes', processes, (stack, topic) => measureCase(stack, topic, base, processes)),
    ),
  ]
}

function measureCase(
  stack: BenchStack,
  topic: string,
  one: RoadCase,
  processes = 1,
): Promise<HeldRow> {
  return measureHeld(stack, topic, { ...one, overrides: domainOverrides(one.domains) }, processes)
}
