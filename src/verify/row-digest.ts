import type { FrameColumns, MappedMessage } from '../mapping/mapping-store.ts'

/** The one constant of each lane keeps the two apart. */
const LANES = [0x9e37_79b9, 0x7f4a_7c15] as const
const topicSeeds = new Map<string, number>()

/**
 * A digest of rows that does not depend on their order: how many there are, and 64 bits out of sums
 * of their hashes. It tells what accident did; who can forge rows is told by opening what they name.
 */
export class RowDigest {
  #count = 0
  #low = 0
  #high = 0

  get count(): number {
    return this.#count
  }

  add(row: MappedMessage): void {
    this.#add(seedOf(row.topic), row.partition, row.offset, row.position, row.length)
  }

  /** Adds the rows of these frames. */
  addFrames({ count, sources, source, offset, position, length }: FrameColumns): void {
    const seeds = sources.map(({ topic }) => seedOf(topic))
    for (let i = 0; i < count; i++) {
      const at = source[i] as number
      const partition = sources[at]?.partition as number
      const place = position[i] as number
      this.#add(seeds[at] as number, partition, offset[i] as number, place, length[i] as number)
    }
  }

  /** Takes back one {@link add} of the same row. */
  remove(row: MappedMessage): void {
    this.#count--
    const { topic, partition, offset, position, length } = row
    const seed = seedOf(topic)
    this.#low = (this.#low - hashOf(seed ^ LANES[0], partition, offset, position, length)) | 0
    this.#high = (this.#high - hashOf(seed ^ LANES[1], partition, offset, position, length)) | 0
  }

  equals(other: RowDigest): boolean {
    return this.#count === other.#count && this.#low === other.#low && this.#high === other.#high
  }

  #add(seed: number, partition: number, offset: number, position: number, length: number): void {
    this.#count++
    this.#low = (this.#low + hashOf(seed ^ LANES[0], partition, offset, position, length)) | 0
    this.#high = (this.#high + hashOf(seed ^ LANES[1], partition, offset, position, length)) | 0
  }
}

function hashOf(
  seed: number,
  partition: number,
  offset: number,
  position: number,
  length: number,
): number {
  let hash = mixed(seed, partition)
  hash = mixed(hash, offset | 0)
  hash = mixed(hash, Math.floor(offset / 2 ** 32))
  hash = mixed(hash, position | 0)
  hash = mixed(hash, Math.floor(position / 2 ** 32))
  return mixed(hash, length)
}

/** A round of MurmurHash3 and its finish. */
function mixed(hash: number, value: number): number {
  let next = Math.imul(hash ^ value, 0x85eb_ca6b)
  next ^= next >>> 13
  next = Math.imul(next, 0xc2b2_ae35)
  return (next ^ (next >>> 16)) + 0x1656_67b1
}

function seedOf(topic: string): number {
  let seed = topicSeeds.get(topic)
  if (seed === undefined) {
    seed = topic.length
    for (const byte of Buffer.from(topic)) seed = mixed(seed, byte)
    topicSeeds.set(topic, seed)
  }
  return seed
}
