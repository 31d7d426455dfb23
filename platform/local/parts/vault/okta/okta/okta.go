// Package okta stands in for Okta's client, with which Vault asks for a second factor at sign-in: one package of twelve
// megabytes, the largest that Vault is compiled of.
package okta

import (
	"context"
	"errors"
	"net/http"
)

var errAbsent = errors.New("Okta is not built into this Vault")

// Configuration is how to reach Okta.
type Configuration struct {
	Context context.Context
}

// ConfigSetter changes a Configuration.
type ConfigSetter func(*Configuration)

// NewConfiguration refuses.
func NewConfiguration(...ConfigSetter) (*Configuration, error) { return nil, errAbsent }

// WithToken would name a token.
func WithToken(string) ConfigSetter { return nil }

// WithOrgUrl would name an organisation.
func WithOrgUrl(string) ConfigSetter { return nil }

// WithCache would say whether answers are kept.
func WithCache(bool) ConfigSetter { return nil }

// APIClient has nothing to ask.
type APIClient struct {
	UserAPI       Users
	UserFactorAPI Factors
}

// NewAPIClient is never reached, because there is no Configuration.
func NewAPIClient(*Configuration) *APIClient { return &APIClient{} }

// GetConfig returns an empty Configuration.
func (*APIClient) GetConfig() *Configuration { return &Configuration{} }

type (
	// Users is one of Okta's interfaces, Factors the other that Vault uses.
	Users struct{}
	// Factors are a user's second factors.
	Factors struct{}
	// User is what the first finds.
	User struct{ id string }
	// UserFactorPush is a factor that asks on a telephone.
	UserFactorPush struct{ id string }
	// Factor is a factor of any kind.
	Factor struct{ UserFactorPush *UserFactorPush }
	// Verification is how asking began.
	Verification struct{ Links map[string]any }
	// Transaction is how asking ended: what is set, is so.
	Transaction struct {
		UserFactorPushTransaction, UserFactorPushTransactionRejected *struct{}
		UserFactorPushTransactionTimeout                             *struct{}
		UserFactorPushTransactionWaiting                             *struct{}
	}
)

// GetId returns the user's id.
func (user User) GetId() string { return user.id }

// GetId returns the factor's id.
func (factor UserFactorPush) GetId() string { return factor.id }

// GetFactorResult says how asking began.
func (Verification) GetFactorResult() string { return "" }

// Request is a question that is never sent.
type Request[Answer any] struct{}

// Filter narrows the question.
func (request Request[Answer]) Filter(string) Request[Answer] { return request }

// Execute refuses.
func (Request[Answer]) Execute() (answer Answer, response *http.Response, err error) {
	return answer, nil, errAbsent
}

// ListUsers asks for users.
func (Users) ListUsers(context.Context) Request[[]User] { return Request[[]User]{} }

// ListFactors asks for a user's factors.
func (Factors) ListFactors(context.Context, string) Request[[]Factor] { return Request[[]Factor]{} }

// VerifyFactor has a factor asked.
func (Factors) VerifyFactor(context.Context, string, string) Request[*Verification] {
	return Request[*Verification]{}
}

// GetFactorTransactionStatus asks how it ended.
func (Factors) GetFactorTransactionStatus(context.Context, string, string, string) Request[*Transaction] {
	return Request[*Transaction]{}
}
