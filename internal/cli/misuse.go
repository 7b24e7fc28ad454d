package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bcdev/internal/config"
)

// strictArguments turns cobra's complaints about arguments into usage errors (exit code 2) that
// say how the command is written.
func strictArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return argumentMisuse(c, args)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strictArguments(sub)
	}
}

// strictCompletion makes cobra's own command refuse a shell it does not know.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil && c.RunE == nil {
		c.Args, c.RunE = cobra.NoArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}

func argumentMisuse(c *cobra.Command, args []string) error {
	line := strings.TrimSuffix(c.UseLine(), " [flags]")
	switch {
	case c.HasAvailableSubCommands() && len(args) > 0:
		return unknownCommand(c, args[0])
	case c.Args == nil || line == c.CommandPath():
		return usage(c, fmt.Errorf("%s takes no argument, and got %q", c.CommandPath(), strings.Join(args, " ")))
	case len(args) == 0:
		return usage(c, fmt.Errorf("an argument is missing: write %q", line))
	}
	return usage(c, fmt.Errorf("wrong number of arguments: write %q", line))
}

// unknownCommand names what a slip of the fingers may have meant.
func unknownCommand(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	err := fmt.Errorf("unknown command %q for %q", word, c.CommandPath())
	if meant := config.Nearest(word, names); meant != "" {
		return &exitError{exitUsage, err, fmt.Sprintf("did you mean %q? %q shows all", c.CommandPath()+" "+meant, c.CommandPath()+" --help")}
	}
	return usage(c, err)
}

// flagMisuse says in our words what is wrong with a flag.
func flagMisuse(c *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		return usage(c, fmt.Errorf("--%s takes %s, not %q", value.GetFlag().Name, takes(value.GetFlag().Value.Type()), value.GetValue()))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usage(c, err)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	meant := config.Nearest(unknown.GetSpecifiedName(), names)
	if meant == "" {
		return usage(c, err)
	}
	return &exitError{exitUsage, err, fmt.Sprintf("did you mean --%s? %q shows all", meant, c.CommandPath()+" --help")}
}

// takes is a flag's type in words.
func takes(kind string) string {
	switch kind {
	case "int", "int64", "float64":
		return "a number"
	case "duration":
		return "a time like 90s or 5m"
	case "bool":
		return "true or false"
	}
	return "another value"
}
