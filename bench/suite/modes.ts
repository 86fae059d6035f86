import type { LatencyOptions } from '../latency/latency.ts'
import { domainCases, partitionCases, type RoadCase, USUAL_CASE } from '../road/road-cases.ts'

/** How much of everything a run of the suite does. */
export interface SuiteMode {
  readonly repeats: number
  readonly roads: readonly RoadCase[]
  readonly stagesRepeats: number
  readonly mappingMessages: number
  readonly latencies: readonly Pick<
    LatencyOptions,
    'profile' | 'perSecond' | 'seconds' | 'isSweep'
  >[]
  readonly turnsSeconds: number
  readonly reencryption: { readonly gigabytes: number; readonly shapes?: number }
}

const MIB = 1024 * 1024

const SIZES: readonly RoadCase[] = [
  { ...USUAL_CASE, messages: 1_000_000, size: 100 },
  { ...USUAL_CASE, messages: 500_000 },
  { ...USUAL_CASE, messages: 60_000, size: 16 * 1024 },
  { ...USUAL_CASE, messages: 1_000, size: MIB },
  { ...USUAL_CASE, messages: 100, size: 10 * MIB },
  { ...USUAL_CASE, messages: 100_000, size: 'mix' },
]

/** The modes of the suite. `smoke` is there to see that all of it works; its figures say nothing. */
export const MODES = {
  smoke: {
    repeats: 1,
    roads: [{ ...USUAL_CASE, messages: 5_000 }],
    ...{
      stagesRepeats: 1,
      mappingMessages: 5_000,
      turnsSeconds: 1,
      reencryption: { gigabytes: 0.02, shapes: 1 },
    },
    latencies: [{ profile: 'default', perSecond: 200, seconds: 2, isSweep: false }],
  },
  quick: {
    repeats: 5,
    roads: [
      { ...USUAL_CASE, messages: 120_000 },
      { ...USUAL_CASE, messages: 240_000, mapping: 'runs' },
    ],
    ...{
      stagesRepeats: 1,
      mappingMessages: 60_000,
      turnsSeconds: 5,
      reencryption: { gigabytes: 0.1, shapes: 1 },
    },
    latencies: [
      { profile: 'default', perSecond: 3_000, seconds: 8, isSweep: false },
      { profile: 'low-latency', perSecond: 1_000, seconds: 8, isSweep: false },
    ],
  },
  full: {
    repeats: 5,
    roads: [
      ...SIZES,
      { ...USUAL_CASE, messages: 1_000_000, mapping: 'runs' },
      ...partitionCases({ ...USUAL_CASE, messages: 500_000 }),
      ...domainCases({ ...USUAL_CASE, messages: 300_000 }),
    ],
    ...{
      stagesRepeats: 5,
      mappingMessages: 400_000,
      turnsSeconds: 30,
      reencryption: { gigabytes: 2 },
    },
    latencies: [
      { profile: 'default', perSecond: 5_000, seconds: 30, isSweep: true },
      { profile: 'low-latency', perSecond: 1_000, seconds: 30, isSweep: true },
    ],
  },
} as const satisfies Readonly<Record<string, SuiteMode>>

/** The name of a mode. */
export type ModeName = keyof typeof MODES
