import { variableOf } from './environment.ts'
import { markdownTable } from './markdown-table.ts'
import type { Config } from './schema.ts'
import { configLeaves, configSections, isSection, type Leaf, type Section } from './walk.ts'

const REDACTED = '[redacted]'
const REFERENCE_HEADS = ['Key', 'Default', 'Unit', 'Allowed', 'What it is', 'Variable']

/**
 * A whole configuration file: every key with its text, unit, bounds and default. Optional keys are
 * commented out; required ones have local values. Ends in a newline; it passes `parseConfig`.
 */
export function exampleConfig(): string {
  const head = [
    '# sealstream configuration with every key. Durations: 250ms, 10s, 5m, 1h. Sizes: 64KiB, 8MiB,',
    '# 1GiB. Keys that are commented out are optional. SEALSTREAM_<SECTION>_<KEY> overrides a key.',
  ]
  return `${[...head, ...configSections.flatMap((node) => ['', ...exampleLines(node)])].join('\n')}\n`
}

/** The reference page of the configuration, in Markdown. Ends in a newline. */
export function configReference(): string {
  const head = [
    '# Configuration',
    '',
    'One YAML file, named by `--config`, by `SEALSTREAM_CONFIG`, or `./sealstream.yaml`.',
    'Unknown keys, duplicate keys and empty values are refused; `sealstream config check` lists',
    'every problem, and `sealstream config example` prints a file with every key.',
    '',
    'Durations are numbers of milliseconds or `250ms`, `10s`, `5m`, `1h`; sizes are numbers of',
    'bytes or `64KiB`, `8MiB`, `1GiB`. Every key has a variable that overrides it; lists are',
    'comma separated there. Secrets are never printed.',
  ]
  return `${[...head, ...configSections.flatMap(referenceLines)].join('\n')}\n`
}

/** A copy of the configuration in which secrets are replaced, for printing. */
export function redactedConfig(config: Config): unknown {
  const copy: unknown = structuredClone(config)
  for (const leaf of configLeaves) {
    if (leaf.secret) redact(copy, leaf.path)
  }
  return copy
}

/** Taking `# ` off the lines of an optional key or section puts it in force. */
function exampleLines(node: Leaf | Section): string[] {
  const key = node.path.at(-1) ?? ''
  const indent = '  '.repeat(node.path.length - 1)
  if (!isSection(node)) {
    const mark = node.presence === 'optional' ? '# ' : ''
    return [`${indent}# ${node.about} ${factsOf(node)}`, `${indent}${mark}${key}: ${node.example}`]
  }
  const body = [`${indent}${key}:`, ...node.children.flatMap(exampleLines)]
  const marked = body.map((line) => `${indent}# ${line.slice(indent.length)}`)
  return [`${indent}# ${node.about}`, ...(isBare(node) ? marked : body)]
}

/** Whether nothing of a section would be left beside its comments: YAML has no such section. */
function isBare({ optional, children }: Section): boolean {
  return optional || children.every((node) => !isSection(node) && node.presence === 'optional')
}

function factsOf(leaf: Leaf): string {
  const unit = leaf.unit === null ? '' : ` Unit: ${leaf.unit}.`
  const fallback = leaf.presence === 'required' ? 'Required' : `Default: ${leaf.fallback}`
  return `${fallback}.${unit} Allowed: ${leaf.bounds}.`
}

function referenceLines(section: Section): string[] {
  const leaves = section.children.filter((node): node is Leaf => !isSection(node))
  const path = section.path.join('.')
  return [
    '',
    `## ${path}`,
    '',
    section.about,
    '',
    ...markdownTable(REFERENCE_HEADS, leaves.map(referenceCells)),
    ...section.children.filter(isSection).flatMap(referenceLines),
  ]
}

function referenceCells(leaf: Leaf): string[] {
  const words = leaf.presence === 'required' ? 'required' : leaf.fallback
  const fallback = leaf.presence === 'defaulted' ? `\`${words}\`` : words
  const about = leaf.secret ? `${leaf.about} Secret.` : leaf.about
  return [
    `\`${leaf.path.join('.')}\``,
    fallback,
    leaf.unit ?? '',
    leaf.bounds,
    about,
    `\`${variableOf(leaf.path)}\``,
  ]
}

function redact(tree: unknown, path: readonly string[]): void {
  let node = tree
  for (const [index, key] of path.entries()) {
    if (typeof node !== 'object' || node === null || !(key in node)) return
    const record = node as Record<string, unknown>
    if (index === path.length - 1) record[key] = REDACTED
    else node = record[key]
  }
}
