package capture

// LineEdit is one line of a comparison: ' ' stands in both, '-' only in the first, '+' only in the
// second.
type LineEdit struct {
	Op   byte
	Line string
}

// mostCompared bounds what is compared line by line, behind what is equal at both ends.
const mostCompared = 1500

// CompareLines finds the longest common subsequence of lines. What is equal at both ends is set
// aside first; when more than 1,500 lines of one side are left in between, all of that counts as
// changed.
func CompareLines(a, b []string) []LineEdit {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	edits := edited(nil, ' ', a[:head])
	edits = changed(edits, a[head:len(a)-tail], b[head:len(b)-tail])
	return edited(edits, ' ', a[len(a)-tail:])
}

func changed(edits []LineEdit, a, b []string) []LineEdit {
	if len(a) > mostCompared || len(b) > mostCompared {
		return edited(edited(edits, '-', a), '+', b)
	}
	common := commonLengths(a, b)
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			edits = append(edits, LineEdit{' ', a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			edits = append(edits, LineEdit{'-', a[i]})
			i++
		default:
			edits = append(edits, LineEdit{'+', b[j]})
			j++
		}
	}
	return edited(edited(edits, '-', a[i:]), '+', b[j:])
}

// commonLengths[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
func commonLengths(a, b []string) [][]uint16 {
	common := make([][]uint16, len(a)+1)
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}

func edited(edits []LineEdit, op byte, lines []string) []LineEdit {
	for _, line := range lines {
		edits = append(edits, LineEdit{op, line})
	}
	return edits
}
