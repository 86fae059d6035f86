import type { types } from 'cassandra-driver'

/** Keys of one cell, some 300 bytes each: far below what Cassandra warns of. */
const ITEMS_PER_CHUNK = 500

/** A list as JSON texts of bounded size; one, of an empty list, when there is nothing. */
export function chunksOf(items: readonly unknown[]): [string, ...string[]] {
  const rest: string[] = []
  for (let from = ITEMS_PER_CHUNK; from < items.length; from += ITEMS_PER_CHUNK) {
    rest.push(JSON.stringify(items.slice(from, from + ITEMS_PER_CHUNK)))
  }
  return [JSON.stringify(items.slice(0, ITEMS_PER_CHUNK)), ...rest]
}

interface Found<H, T> {
  head: H | null
  chunks: number
  readonly texts: Map<number, T[]>
}

/** Puts lists together whose chunks come as rows with instance_id, chunk and, in chunk 0, chunks. */
export class Chunks<H, T> {
  readonly #found = new Map<string, Found<H, T>>()

  /** `text` is the chunk of the row; `headOf` is asked for chunk 0 alone. */
  add(row: types.Row, text: string | null, headOf: () => H): void {
    const found = this.#found.get(row.instance_id) ?? { head: null, chunks: 0, texts: new Map() }
    this.#found.set(row.instance_id, found)
    found.texts.set(row.chunk, JSON.parse(text ?? '[]') as T[])
    if (row.chunks === null) return
    found.head = headOf()
    found.chunks = row.chunks
  }

  /** Lists whose chunk 0 was there; chunks that a shorter list left behind are passed over. */
  whole(): { readonly head: H; readonly items: readonly T[] }[] {
    return [...this.#found.values()].flatMap(({ head, chunks, texts }) => {
      if (head === null) return []
      const numbers = Array.from({ length: chunks }, (_, chunk) => chunk)
      return [{ head, items: numbers.flatMap((chunk) => texts.get(chunk) ?? []) }]
    })
  }
}
