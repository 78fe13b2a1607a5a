/** One finding of the checker. `file` is added by whoever knows it. */
export interface FlowProblem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly line: number
  readonly column: number
  readonly endLine?: number
  readonly endColumn?: number
  readonly suggestion?: string
  /** JSON pointer of the place in the document: what remains of a position where the document was never text. */
  readonly pointer?: string
}
