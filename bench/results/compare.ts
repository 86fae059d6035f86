import { mannWhitney } from '../stats/mann-whitney.ts'
import { medianOf } from '../stats/median.ts'
import type { Figure, ResultFile } from './result-file.ts'

/** What is to be said of one figure that both runs have. */
export type Verdict = 'better' | 'worse' | 'same' | 'unclear'

/** One figure in two runs. */
export interface Comparison {
  readonly name: string
  readonly unit: string
  readonly kind: Figure['kind']
  readonly before: number
  readonly after: number
  /** Of the medians. */
  readonly ratio: number
  readonly p: number
  readonly verdict: Verdict
}

/** How much has to differ, and how surely. */
export interface Thresholds {
  /** Medians that are nearer than this are the same, whatever the test says. */
  readonly share: number
  readonly p: number
}

/** With five repeats each, chance alone separates two samples entirely in 0.8 % of all cases. */
export const THRESHOLDS: Thresholds = { share: 0.05, p: 0.01 }

/** The figure of work that no change of ours touches. */
export const CALIBRATION = 'calibration'

/**
 * Compares the figures that both runs have. A figure is worse when its median is by more than
 * `share`, and the Mann-Whitney test says that chance does that in less than `p` of all cases; with too
 * few repeats to ever say so, a difference is unclear.
 */
export function compare(
  before: ResultFile,
  after: ResultFile,
  thresholds: Thresholds = THRESHOLDS,
): Comparison[] {
  const figures = new Map(before.figures.map((figure) => [figure.name, figure]))
  return after.figures.flatMap((figure) => {
    const old = figures.get(figure.name)
    return old === undefined ? [] : [comparisonOf(old, figure, thresholds)]
  })
}

/** How much slower this machine is than that of the other run, by the one piece of work that never changes. */
export function machineRatio(before: ResultFile, after: ResultFile): number | null {
  const of = ({ figures }: ResultFile) =>
    medianOf(figures.find(({ name }) => name === CALIBRATION)?.values ?? [])
  const ratio = of(after) / of(before)
  return Number.isFinite(ratio) ? ratio : null
}

function comparisonOf(old: Figure, figure: Figure, thresholds: Thresholds): Comparison {
  const { name, unit, kind, better } = figure
  const [before, after] = [medianOf(old.values), medianOf(figure.values)]
  const ratio = before === 0 && after === 0 ? 1 : after / before
  const { p } = mannWhitney(old.values, figure.values)
  const isLess = after < before
  const verdict =
    Math.abs(ratio - 1) <= thresholds.share
      ? 'same'
      : p >= thresholds.p
        ? 'unclear'
        : isLess === (better === 'lower')
          ? 'better'
          : 'worse'
  return { name, unit, kind, before, after, ratio, p, verdict }
}

/** What makes a comparison fail: figures that are worse, those by the clock only when asked for. */
export function worseOf(comparisons: readonly Comparison[], isWallToo: boolean): Comparison[] {
  return comparisons.filter(
    ({ verdict, kind }) => verdict === 'worse' && (isWallToo || kind !== 'wall'),
  )
}
