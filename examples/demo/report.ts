import type { ImpactFigures } from './impact-check.ts'
import type { KeyFigures } from './key-check.ts'
import type { PlaintextFigures } from './plaintext-check.ts'
import type { ReadBackFigures } from './read-back.ts'
import type { SealFigures } from './seal-load.ts'

/** Everything the demo found out; also the content of `report.json`. */
export interface DemoReport {
  readonly machine: { readonly cores: number; readonly node: string; readonly platform: string }
  readonly loads: readonly SealFigures[]
  readonly readBack: ReadBackFigures
  readonly impact: ImpactFigures
  readonly plaintext: PlaintextFigures
  readonly keyBytes: KeyFigures
  readonly elapsedSeconds: number
}
