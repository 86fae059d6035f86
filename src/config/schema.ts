import * as z from 'zod'
import { drill, incident } from './incident-section.ts'
import { kafka } from './kafka-section.ts'
import { exposure, keyDomain, reader, window } from './keys-section.ts'
import { kms } from './kms-section.ts'
import { sectionReason } from './leaves.ts'
import {
  certificate,
  cipher,
  http,
  log,
  memory,
  message,
  part,
  process,
  reencryption,
  segment,
  workers,
} from './sealing.ts'
import { cassandra, mapping, s3 } from './services.ts'

/**
 * The whole configuration: one key, one declaration. Defaults, units, bounds, texts and secrets
 * stand with the keys; everything else that knows the configuration is derived from here.
 */
export const configShape = {
  kafka,
  s3,
  cassandra,
  mapping,
  kms,
  keyDomain,
  window,
  exposure,
  segment,
  part,
  message,
  cipher,
  memory,
  workers,
  reencryption,
  reader,
  certificate,
  incident,
  drill,
  process,
  http,
  log,
}

/** Checks single values; relations between them are in relations.ts. */
export const configSchema = z
  .strictObject(configShape, { error: sectionReason })
  .transform((config) => {
    const { forcePathStyle, endpoint } = config.s3
    // A server of one's own rarely has a DNS name for every bucket; AWS always has.
    const resolved = { ...config.s3, forcePathStyle: forcePathStyle ?? endpoint !== undefined }
    return { ...config, s3: resolved }
  })

type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T

/** A checked configuration: every default filled in, durations in ms, sizes in bytes, frozen. */
export type Config = Frozen<z.output<typeof configSchema>>
