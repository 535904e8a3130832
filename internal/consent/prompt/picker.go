package prompt

// Picker are the words of the dialog in which a person chooses a folder: its
// title, and its two buttons. It grants nothing, so it says nothing of grants.
func (l Language) Picker() (title, choose, cancel string) {
	if l == German {
		return "Ordner auswählen", "Auswählen", "Abbrechen"
	}
	return "Choose a folder", "Choose", "Cancel"
}
