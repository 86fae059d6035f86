import { type LeafNotes, leafNotes, type SectionNotes, sectionNotes } from './leaves.ts'
import { configShape } from './schema.ts'

/** One key of the configuration with its place. */
export interface Leaf extends LeafNotes {
  readonly path: readonly string[]
}

/** One section of the configuration with its place and what it holds, in order. */
export interface Section extends SectionNotes {
  readonly path: readonly string[]
  readonly children: readonly (Leaf | Section)[]
}

/** The top sections in their order. */
export const configSections: readonly Section[] = childrenOf(configShape, []).filter(isSection)

/** Every key in its order. */
export const configLeaves: readonly Leaf[] = configSections.flatMap(leavesOf)

/** Tells a section from a key. */
export function isSection(node: Leaf | Section): node is Section {
  return 'children' in node
}

function leavesOf(node: Leaf | Section): readonly Leaf[] {
  return isSection(node) ? node.children.flatMap(leavesOf) : [node]
}

function childrenOf(shape: SectionNotes['shape'], parent: readonly string[]): (Leaf | Section)[] {
  return Object.entries(shape).map(([key, schema]) => {
    const path = [...parent, key]
    const section = sectionNotes.get(schema)
    if (section !== undefined)
      return { ...section, path, children: childrenOf(section.shape, path) }
    const leaf = leafNotes.get(schema)
    if (leaf === undefined) throw new Error(`${path.join('.')} has no notes`)
    return { ...leaf, path }
  })
}
