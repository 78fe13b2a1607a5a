import { membersOf, type Type } from '../expression/type.ts'

/** Whether a value of the type has a secret in it, at any depth. What is not known is taken to have none. */
export function containsSecret(type: Type): boolean {
  return membersOf(type).some((member) => {
    switch (member.kind) {
      case 'secret':
        return true
      case 'array':
        return containsSecret(member.items)
      case 'object':
        return [...member.fields.values()].some((field) => containsSecret(field.type))
      default:
        return false
    }
  })
}
