import { readFileSync, writeFileSync } from 'node:fs'
import type { Machine } from '../host/machine.ts'

/**
 * What a figure is: `cpu` are CPU microseconds of some unit of work, which repeat on a shared machine;
 * `count` is what does not depend on the machine at all (requests, bytes); `wall` is what a clock says,
 * rates and latencies, which depend on who else is at work.
 */
export type FigureKind = 'cpu' | 'count' | 'wall'

/** One figure of a run, with the values of all repeats. */
export interface Figure {
  /** Like a path, coarse to fine. */
  readonly name: string
  readonly unit: string
  readonly kind: FigureKind
  readonly better: 'lower' | 'higher'
  readonly values: readonly number[]
}

/** A run of the suite. */
export interface ResultFile {
  readonly format: 1
  readonly mode: string
  readonly machine: Machine
  readonly figures: readonly Figure[]
}

/** A figure of CPU microseconds. */
export function cpuFigure(name: string, values: readonly number[], unit = 'us'): Figure {
  return { name, unit, kind: 'cpu', better: 'lower', values }
}

/** A figure that does not depend on the machine; less of it is better. */
export function countFigure(name: string, values: readonly number[], unit: string): Figure {
  return { name, unit, kind: 'count', better: 'lower', values }
}

/** A figure by the clock. */
export function wallFigure(
  name: string,
  values: readonly number[],
  unit: string,
  better: Figure['better'],
): Figure {
  return { name, unit, kind: 'wall', better, values }
}

/** Reads a result file. Throws when it is none. */
export function readResults(path: string): ResultFile {
  const file = JSON.parse(readFileSync(path, 'utf8')) as ResultFile
  if (file.format !== 1 || !Array.isArray(file.figures)) {
    throw new Error(`${path} is not a result of npm run bench`)
  }
  return file
}

/** Writes a result file. */
export function writeResults(path: string, file: ResultFile): void {
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`)
}

/** What of a run is worth keeping as a baseline: no clock of this machine is. */
export function baselineOf(file: ResultFile): ResultFile {
  return { ...file, figures: file.figures.filter(({ kind }) => kind !== 'wall') }
}
