import type * as z from 'zod'
import { messageOf, SealError } from '../errors.ts'
import { configLeaves, configSections, isSection, type Leaf, type Section } from './walk.ts'

/** One reason why a configuration is refused. The reason never holds a configured value. */
export interface Problem {
  /** Dotted path, the name of a variable, or a place in the file. */
  readonly path: string
  readonly reason: string
}

/** What one error lists; a file that is no configuration at all can have any number. */
const PROBLEMS_MAX = 100

/** All problems in one error, on one line. */
export function configRefused(name: string, problems: readonly Problem[]): SealError {
  const texts = problems.slice(0, PROBLEMS_MAX).map(({ path, reason }) => `${path}: ${reason}`)
  if (problems.length > PROBLEMS_MAX) texts.push(`and ${problems.length - PROBLEMS_MAX} more`)
  const list = texts.join('; ')
  const heading = problems.length === 1 ? 'is refused' : `is refused for ${problems.length} reasons`
  // An unknown key may hold line breaks.
  return new SealError('SEAL_CONFIG_INVALID', messageOf(`${name} ${heading}: ${list}`))
}

/** What the schema found, one problem a key. */
export function problemsOf(error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String)
    if (issue.code !== 'unrecognized_keys') {
      return [{ path: path.join('.') || 'the file', reason: issue.message }]
    }
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      reason: `unknown key${suggestKey(path, key)}`,
    }))
  })
}

/** `, did you mean X?` with the candidate nearest to `name`, or nothing when none is near. */
export function suggestNearest(name: string, candidates: readonly string[]): string {
  let nearest: string | null = null
  let nearestEdits = Math.floor(name.length / 3) + 1
  for (const candidate of candidates) {
    const edits = countEdits(name.toLowerCase(), candidate.toLowerCase())
    if (edits < nearestEdits) {
      nearest = candidate
      nearestEdits = edits
    }
  }
  return nearest === null ? '' : `, did you mean ${nearest}?`
}

/** A key of the same section, or else the key of this very name, below the section if there is one. */
function suggestKey(sectionPath: readonly string[], key: string): string {
  const near = suggestNearest(key, keysUnder(sectionPath))
  if (near !== '') return near
  const sameName = configLeaves.filter((leaf) => leaf.path.at(-1) === key)
  const isWithin = ({ path }: Leaf) => sectionPath.every((step, i) => path[i] === step)
  const elsewhere = sameName.find(isWithin) ?? sameName[0]
  return elsewhere === undefined ? '' : `, did you mean ${elsewhere.path.join('.')}?`
}

function keysUnder(path: readonly string[]): string[] {
  let nodes: readonly (Leaf | Section)[] = configSections
  for (const key of path) {
    const node = nodes.find((candidate) => candidate.path.at(-1) === key)
    nodes = node !== undefined && isSection(node) ? node.children : []
  }
  return nodes.map((node) => node.path.at(-1) ?? '')
}

/** Levenshtein distance: letters to put in, take out or exchange. */
function countEdits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchange = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(exchange, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
