import * as z from 'zod'
import {
  formatBytes,
  formatDurationMs,
  type Refusal,
  readBytes,
  readDurationMs,
} from './quantity.ts'

/**
 * What is known of one key of the configuration besides how to check it. Written once, where the
 * key is declared; the environment, the example, the reference page and redaction follow from it.
 */
export interface LeafNotes {
  readonly kind: 'text' | 'flag' | 'count' | 'duration' | 'bytes' | 'choice' | 'list'
  /** One line for people. */
  readonly about: string
  /** What the number counts; null where there is no unit. */
  readonly unit: string | null
  /** What is allowed, for people. */
  readonly bounds: string
  readonly presence: 'required' | 'optional' | 'defaulted'
  /** The default as it is written in YAML, or in words for an optional key. */
  readonly fallback: string
  /** A sensible local value as it is written in YAML. */
  readonly example: string
  /** true for what must never be printed. */
  readonly secret: boolean
}

/** What is known of a section: its one line, and its keys in order. */
export interface SectionNotes {
  readonly about: string
  readonly shape: Readonly<Record<string, z.core.$ZodType>>
  readonly optional: boolean
}

const CONTROL_CHARACTER = /\p{Cc}/u

/** The notes of every leaf schema, by the schema as it stands in its section. */
export const leafNotes = z.registry<LeafNotes>()

/** The notes of every section schema, by the schema as it stands in its parent. */
export const sectionNotes = new WeakMap<object, SectionNotes>()

interface LeafBase {
  readonly about: string
  readonly bounds?: string
}

interface TextOptions extends LeafBase {
  readonly pattern?: readonly [RegExp, reason: string]
  readonly secret?: boolean
  /** The reason why a value is refused, or undefined. Must not repeat the value. */
  readonly refuse?: (value: string) => string | undefined
}

interface NumberOptions extends LeafBase {
  readonly min: number
  readonly max: number
}

/** Text that is not blank. */
export function text(options: TextOptions) {
  const { pattern, refuse, secret = false } = options
  const schema = z.string({ error: orRequired('must be text, put it in quotes') }).check((ctx) => {
    const reason = reasonAgainst(ctx.value, pattern, refuse, secret)
    if (reason !== undefined) ctx.issues.push({ code: 'custom', message: reason, input: '' })
  })
  return noted(schema, 'text', options, { secret, bounds: options.bounds ?? 'not empty' })
}

/** true or false. */
export function flag(options: LeafBase) {
  const schema = z.boolean({ error: orRequired('must be true or false') })
  return noted(schema, 'flag', options, { bounds: 'true or false' })
}

/** A whole number; `unit` says what it counts. */
export function count(options: NumberOptions & { readonly unit: string }) {
  const { min, max, unit } = options
  const wanted = `must be a whole number from ${min} to ${max}`
  const schema = z
    .number({ error: orRequired(wanted) })
    .refine((value) => Number.isSafeInteger(value) && value >= min && value <= max, wanted)
  return noted(schema, 'count', options, { unit, bounds: options.bounds ?? `${min} to ${max}` })
}

/** Milliseconds, as a number or with a unit. */
export function durationMs(options: NumberOptions) {
  return quantity('duration', 'ms', options, readDurationMs, formatDurationMs)
}

/** Bytes, as a number or with a binary unit. */
export function bytes(options: NumberOptions) {
  return quantity('bytes', 'bytes', options, readBytes, formatBytes)
}

/** One of a few words. */
export function choice<const T extends readonly [string, ...string[]]>(
  choices: T,
  options: LeafBase,
) {
  const bounds = choices.join(', ')
  const schema = z.enum(choices, { error: orRequired(`must be one of ${bounds}`) })
  return noted(schema, 'choice', options, { bounds })
}

/** A list of texts without duplicates. `lengthMin` 0 lets it be empty. */
export function list(options: TextOptions & { readonly lengthMin: number }) {
  const { pattern, refuse, lengthMin } = options
  const schema = z
    .array(z.string('must be text, put it in quotes'), { error: orRequired('must be a list') })
    .check((ctx) => {
      const refused = (path: number[], message: string) =>
        ctx.issues.push({ code: 'custom', message, path, input: '' })
      if (ctx.value.length < lengthMin) refused([], 'must have at least one entry')
      for (const [index, value] of ctx.value.entries()) {
        const first = ctx.value.indexOf(value)
        if (first < index) refused([index], `is the same as entry ${first}`)
        const reason = reasonAgainst(value, pattern, refuse)
        if (reason !== undefined) refused([index], reason)
      }
    })
  const bounds = `${options.bounds ?? 'not empty'}, no duplicates`
  return noted(schema, 'list', options, { secret: options.secret ?? false, bounds })
}

/** A key that must be given. `example` is a sensible local value as YAML. */
export function required<T extends z.ZodType>(leaf: T, example: string): T {
  return renoted(leaf, leaf, { presence: 'required', example })
}

/** A key that may be left out; `fallback` says in words what happens then. */
export function optional<T extends z.ZodType>(leaf: T, fallback: string, example: string) {
  return renoted(leaf, z.exactOptional(leaf), { presence: 'optional', fallback, example })
}

/** A key with a default, given as it stands in the result and as it is written in YAML. */
export function withDefault<T extends z.ZodType>(
  leaf: T,
  value: z.core.util.NoUndefined<z.output<T>>,
) {
  const fallback = asYaml(notesOf(leaf).kind, value)
  const extra = { presence: 'defaulted', fallback, example: fallback } as const
  return renoted(leaf, z._default(leaf, value), extra)
}

/** A section of keys. A missing section is one without keys; an unknown key is refused. */
export function section<const S extends z.core.$ZodLooseShape>(about: string, shape: S) {
  const schema = z.strictObject(shape, { error: sectionReason })
  const orEmpty = z.prefault(schema, {} as z.input<typeof schema>)
  sectionNotes.set(orEmpty, { about, shape, optional: false })
  return orEmpty
}

/** A section that may be left out as a whole. */
export function optionalSection<const S extends z.core.$ZodLooseShape>(about: string, shape: S) {
  const schema = z.exactOptional(z.strictObject(shape, { error: sectionReason }))
  sectionNotes.set(schema, { about, shape, optional: true })
  return schema
}

/** What a section says when it is none; unknown keys are reported one by one elsewhere. */
export function sectionReason(issue: { readonly code?: string | undefined }): string | undefined {
  return issue.code === 'unrecognized_keys' ? undefined : 'must be a section of keys'
}

function quantity(
  kind: 'duration' | 'bytes',
  unit: string,
  options: NumberOptions,
  read: (value: number | string) => number | Refusal,
  format: (amount: number) => string,
) {
  const { min, max } = options
  const bounds = `${format(min)} to ${format(max)}`
  const schema = z
    .union([z.number(), z.string()], { error: orRequired(`must be ${bounds}`) })
    .transform((value, ctx) => {
      const amount = read(value)
      if (typeof amount === 'number' && amount >= min && amount <= max) return amount
      const reason = typeof amount === 'number' ? `must be ${bounds}` : amount.refused
      ctx.issues.push({ code: 'custom', message: reason, input: '' })
      return z.NEVER
    })
  return noted(schema, kind, options, { unit, bounds })
}

function reasonAgainst(
  value: string,
  pattern: TextOptions['pattern'],
  refuse: TextOptions['refuse'],
  isSecret = false,
): string | undefined {
  if (value.trim() === '') return 'must not be empty'
  // Names reach logs and terminals; a password may hold whatever its owner likes.
  if (!isSecret && CONTROL_CHARACTER.test(value)) return 'must not hold control characters'
  if (pattern !== undefined && !pattern[0].test(value)) return pattern[1]
  return refuse?.(value)
}

function orRequired(reason: string) {
  return (issue: { readonly input?: unknown }) =>
    issue.input === undefined ? 'is required' : reason
}

function noted<T extends z.ZodType>(
  schema: T,
  kind: LeafNotes['kind'],
  { about }: LeafBase,
  extra: Partial<LeafNotes> & { readonly bounds: string },
): T {
  const base = {
    unit: null,
    presence: 'required',
    fallback: '',
    example: '',
    secret: false,
  } as const
  leafNotes.add(schema, { ...base, kind, about, ...extra })
  return schema
}

function renoted<T extends z.ZodType>(leaf: z.ZodType, outer: T, extra: Partial<LeafNotes>): T {
  leafNotes.add(outer, { ...notesOf(leaf), ...extra })
  return outer
}

function notesOf(leaf: z.ZodType): LeafNotes {
  const notes = leafNotes.get(leaf)
  if (notes === undefined) throw new Error('a leaf of the configuration has no notes')
  return notes
}

function asYaml(kind: LeafNotes['kind'], value: unknown): string {
  if (kind === 'duration') return formatDurationMs(Number(value))
  if (kind === 'bytes') return formatBytes(Number(value))
  return JSON.stringify(value).replace(/^"([a-z][a-z0-9-]*)"$/, '$1')
}
