import { join } from 'node:path'
import { DemoError } from './demo-error.ts'
import { searchFolders } from './plaintext-search.ts'

/** Where no plaintext may ever be: objects, mapping tables, keys, every log. */
const SEARCHED = ['data/s3', 'data/cassandra', 'data/kms', 'logs', 'encryptor']

/** Where it must be: the producer's own topics. Shows that the search can find something. */
const CONTROL = 'data/kafka'

/** What the search for plaintext saw. */
export interface PlaintextFigures {
  readonly samples: number
  readonly files: number
  readonly bytes: number
  readonly hits: number
  /** Samples found among the source topics; null when the services keep their data elsewhere. */
  readonly controlHits: number | null
}

/**
 * Looks for pieces of the produced plaintext in all that the services and the encryptor wrote.
 * Throws a DemoError when one is found, or when the search does not even find the source topics.
 */
export async function checkPlaintext(
  directory: string,
  samples: readonly Buffer[],
): Promise<PlaintextFigures> {
  const under = (names: readonly string[]) => names.map((name) => join(directory, name))
  const { files, bytes, found } = await searchFolders(under(SEARCHED), samples)
  const leak = [...found.values()][0]
  if (leak !== undefined) throw new DemoError(`plaintext of a message stands in ${leak}`)
  const control = await searchFolders(under([CONTROL]), samples)
  const controlHits = control.files === 0 ? null : control.found.size
  if (controlHits !== null && controlHits < samples.length) {
    throw new DemoError(
      `the plaintext search is blind: it finds ${controlHits} of ${samples.length} samples in the source topics`,
    )
  }
  return { samples: samples.length, files, bytes, hits: found.size, controlHits }
}
