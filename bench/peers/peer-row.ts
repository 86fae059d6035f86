import type { CpuSeconds } from '../../examples/demo/cpu-time.ts'

/** What an arm took. `peer` among the processes is the program itself, whatever it is. */
export interface PeerFigures {
  readonly messages: number
  readonly perSecond: number
  readonly cpuMicros: CpuSeconds
}

/** One arm, and in words what it does and what it leaves out: no two of them do the same. */
export interface PeerRow {
  readonly arm: string
  readonly does: string
  readonly doesNot: string
  /** null where a part of it is missing, which `missing` names. */
  readonly figures: PeerFigures | null
  readonly missing?: string
}
