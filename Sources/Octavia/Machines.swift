internal import OctaviaModel

extension Controller {
  func assembleMachines(_ store: Store) async throws -> Parts {
    throw SettingsError(description: "this compute driver is not there yet")
  }
}
