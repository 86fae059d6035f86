import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Load } from './load.ts'

/**
 * The flights-200k set of vega-datasets, one message a flight: its JSON as it stands in the file,
 * without a key. The set names no date, so the time of producing is the timestamp.
 */
export function flightsLoad(): Load {
  const entry = createRequire(import.meta.url).resolve('vega-datasets')
  const file = readFileSync(new URL('../data/flights-200k.json', `file://${entry}`))
  const ends = objectEnds(file)
  return {
    topic: 'flights',
    messages: ends.length,
    *read() {
      let begin = 1
      for (const end of ends) {
        const value = file.subarray(begin, end)
        begin = end + 1
        yield { key: null, value, headers: [], timestampMs: Date.now() }
      }
    },
  }
}

/** Where the objects of a flat, unspaced JSON array end: `[{...},{...}]` needs no parser. */
function objectEnds(file: Buffer): number[] {
  const ends: number[] = []
  for (let at = file.indexOf('}'); at !== -1; at = file.indexOf('}', at + 1)) ends.push(at + 1)
  return ends
}
