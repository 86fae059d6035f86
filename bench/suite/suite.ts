import { type BenchStack, withBenchStack } from '../bench-stack.ts'
import { cipher } from '../cipher.ts'
import { machineFacts } from '../host/machine.ts'
import { ladder } from '../ladder.ts'
import { measureLatency } from '../latency/latency.ts'
import { mapping } from '../mapping.ts'
import { calibration } from '../parts/calibration.ts'
import { kmsCalls } from '../parts/kms-calls.ts'
import { opening } from '../parts/opening.ts'
import { publish } from '../parts/publish.ts'
import { upload } from '../parts/upload.ts'
import { reencryption } from '../reencryption.ts'
import { CALIBRATION } from '../results/compare.ts'
import { cpuFigure, type Figure, type ResultFile } from '../results/result-file.ts'
import { measureRoad, type RoadOptions, type RoadRow } from '../road/road.ts'
import { domainOverrides } from '../road/road-config.ts'
import { measureStages } from '../stages/stages.ts'
import { turns } from '../turns.ts'
import * as figuresOf from './figures.ts'
import { MODES, type ModeName, type SuiteMode } from './modes.ts'

/** One part of the suite. */
interface Section {
  readonly name: string
  readonly run: (stack: BenchStack, mode: SuiteMode) => Promise<Figure[]>
}

const ROAD = { size: 1024, partitions: 8, domains: 0, mapping: 'rows', overrides: [] } as const
const STAGES_MESSAGES = 100_000
const TURNS_PER_SECOND = 5_000

const SECTIONS: readonly Section[] = [
  {
    name: 'cipher',
    run: async (_, { repeats }) => figuresOf.cipherFigures(await cipher(repeats)),
  },
  {
    name: 'in process',
    run: async (_, { repeats }) => figuresOf.ladderFigures(await ladder(repeats)),
  },
  { name: 'road', run: roads },
  {
    name: 'stages',
    run: async (stack, { stagesRepeats, roads: [first] }) => {
      const messages = Math.min(STAGES_MESSAGES, first?.messages ?? STAGES_MESSAGES)
      return figuresOf.stageFigures(
        await measureStages(stack, { ...ROAD, messages }, stagesRepeats),
      )
    },
  },
  {
    name: 'services',
    run: async (stack, { repeats }) => {
      const { mebibyte, smallObject } = await upload(stack, repeats)
      const { generate, unwrap } = await kmsCalls(stack, repeats)
      const { serviceFigures } = figuresOf
      return [
        ...serviceFigures('publish', 'reference', await publish(stack, repeats)),
        ...serviceFigures('upload/8 MiB parts', 'MiB', mebibyte),
        ...serviceFigures('upload/64 KiB objects', 'object', smallObject),
        ...serviceFigures('KMS/data key', 'call', generate),
        ...serviceFigures('KMS/unwrap', 'call', unwrap),
      ]
    },
  },
  {
    name: 'mapping',
    run: async (_, mode) =>
      figuresOf.mappingFigures(await mapping(mode.mappingMessages, mode.repeats)),
  },
  {
    name: 'latency',
    run: async (stack, { latencies }) => {
      const rows = []
      for (const options of latencies) {
        rows.push(...(await measureLatency(stack, { ...ROAD, ...options })))
      }
      return figuresOf.latencyFigures(rows)
    },
  },
  {
    name: 'turns',
    run: async (_, { turnsSeconds: seconds }) =>
      figuresOf.turnsFigures(await turns({ perSecond: TURNS_PER_SECOND, seconds })),
  },
  {
    name: 're-encryption',
    run: async (_, mode) =>
      figuresOf.reencryptionFigures(
        await reencryption({ ...mode.reencryption, repeats: mode.repeats }),
      ),
  },
]

/** The names of all sections. */
export const SECTION_NAMES = SECTIONS.map(({ name }) => name)

/** Runs the sections of a mode, all on the same services. */
export async function suite(mode: ModeName, only: readonly string[]): Promise<ResultFile> {
  const machine = machineFacts()
  const wanted = SECTIONS.filter(({ name }) => only.length === 0 || only.includes(name))
  const settings: SuiteMode = MODES[mode]
  const figures = await withBenchStack(
    async (stack) => {
      const all = [cpuFigure(CALIBRATION, await calibration(settings.repeats))]
      for (const { name, run } of wanted) {
        const beganMs = performance.now()
        all.push(...(await run(stack, settings)))
        const seconds = (performance.now() - beganMs) / 1000
        process.stderr.write(`${name}: ${seconds.toFixed(0)} s\n`)
      }
      return all
    },
    { isShortLived: true },
  )
  return { format: 1, mode, machine, figures }
}

/** Every case of the road; the repeats of all cases take turns. Then opening, of what the first one sealed. */
async function roads(stack: BenchStack, { roads: cases, repeats }: SuiteMode): Promise<Figure[]> {
  const rows = cases.map(() => [] as RoadRow[])
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [i, one] of cases.entries()) {
      const options = { ...one, overrides: domainOverrides(one.domains) }
      rows[i]?.push(await measureRoad(stack, `road-${i}-${repeat}`, options))
    }
  }
  const { point, sequential } = await opening(stack, 'road-0-0', 'road-0-0', repeats)
  return [
    ...cases.flatMap((one, i) => figuresOf.roadFigures(nameOf(one), rows[i] ?? [])),
    ...figuresOf.serviceFigures('opening/point', 'message', point),
    ...figuresOf.serviceFigures('opening/in order', 'message', sequential),
  ]
}

function nameOf({ size, partitions, domains, mapping }: Omit<RoadOptions, 'overrides'>): string {
  const bytes = size === 'mix' ? 'mix' : `${size} B`
  const ofDomains = domains === 0 ? '' : `, ${domains} domains`
  return `road/${bytes}, ${partitions} partitions, ${mapping}${ofDomains}`
}
