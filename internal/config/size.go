package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseBytes reads a size: a whole number of bytes, or one with KiB, MiB or GiB behind it.
func parseBytes(s string) (int64, error) {
	unit := int64(1)
	number := s
	for suffix, bytes := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, found := strings.CutSuffix(s, suffix); found {
			number, unit = strings.TrimSpace(n), bytes
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("must be a size such as 500KiB, 1MiB or 1GiB")
	}
	return n * unit, nil
}
